import type { Queryable } from '@carcosa/database';
import {
  type Access,
  AppService,
  CallbackService,
  type FileService,
  type Notifications,
  type ServingService,
  Settlement,
  SignedFileService,
  SignedUploadAnnouncements,
  SignedUploadService,
  type SigningKeys,
  type StoreRegistry,
  type UploadService,
  WebhookSender,
} from '@carcosa/domain';
import type { Clock, IdGenerator, Logger, Random } from '@carcosa/kernel';
import type { AddressGuard } from '@carcosa/kernel/node';
import type { JobQueue } from '@carcosa/queue';

/** Milliseconds that an app has for a callback: many do all of their work before they answer. */
const CALLBACK_TIMEOUT_MS = 60_000;

export interface SignedUploadParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  ids: IdGenerator;
  random: Random;
  logger: Logger;
  publicUrl: string;
  version: string;
  access: Access;
  signingKeys: SigningKeys;
  guard: AddressGuard;
  stores: StoreRegistry;
  files: FileService;
  serving: ServingService;
  uploads: UploadService;
  notifications: Notifications;
  queue: JobQueue;
  /** Absent: 60,000. */
  callbackTimeoutMs?: number | undefined;
}

/** The part of the composition for apps that sign addresses by themselves: UploadThing's, and those of our file router. */
export function composeSignedUploads({ queue, callbackTimeoutMs, ...parts }: SignedUploadParts) {
  const announcements = new SignedUploadAnnouncements(parts);
  const callbackSender = new WebhookSender({ ...parts, timeoutMs: callbackTimeoutMs ?? CALLBACK_TIMEOUT_MS });
  const callbacks = new CallbackService({
    ...{ ...parts, sender: callbackSender },
    deliverLater: (tx, callbackId, startAfter) => queue.enqueue(tx, 'deliver-callback', { callbackId }, { startAfter }),
  });
  const settlement = new Settlement({ ...parts, callbacks });
  const signed = { ...parts, announcements, callbacks, settlement };
  return {
    ...{ announcements, callbackSender, callbacks, settlement },
    signedUploads: new SignedUploadService(signed),
    signedFiles: new SignedFileService(signed),
    apps: new AppService(signed),
  };
}
