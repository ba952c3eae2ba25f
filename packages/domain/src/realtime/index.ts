export * from './event-feed.ts';
export * from './event-streams.ts';
export * from './live-hub.ts';
export type { View } from './live-views.ts';
export * from './operation-progress.ts';
export * from './rooms.ts';
