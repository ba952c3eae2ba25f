export { WEBHOOKS_CHANNEL } from './event-queue.ts';
export * from './list-events.ts';
