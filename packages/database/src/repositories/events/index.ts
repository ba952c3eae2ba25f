export { WEBHOOKS_CHANNEL } from './event-queue.ts';
export * from './follow-events.ts';
export * from './list-events.ts';
export * from './retain-events.ts';
