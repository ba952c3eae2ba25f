export * from './link-mail.ts';
export * from './mailer.ts';
