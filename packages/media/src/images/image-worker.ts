// A process of its own, started by the pool: whatever a picture does to the decoder, it does it here.
import { ImageFailure } from './failure.ts';
import { makeImage, prepareLibrary } from './make-image.ts';
import type { ImageReply, ImageRequest } from './protocol.ts';

prepareLibrary();

process.on('message', (request: ImageRequest) => {
  makeImage(request, request.limits)
    .then(
      (result): ImageReply => ({ id: request.id, result }),
      (error: unknown): ImageReply => {
        const fault = error instanceof ImageFailure ? error.fault : 'failed';
        return { id: request.id, fault, message: error instanceof Error ? error.message : '' };
      },
    )
    .then((reply) => process.send?.(reply));
});

// The server is gone: nobody waits for what is under way, which an exit in order would wait for.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// A signal to the whole group, such as that of a terminal, is for the server: it ends us when it has finished.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
