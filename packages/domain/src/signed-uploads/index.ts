export * from './announcements.ts';
export * from './app-service.ts';
export * from './settlement.ts';
export * from './signed-address.ts';
export * from './signed-file-service.ts';
export * from './signed-upload-service.ts';
