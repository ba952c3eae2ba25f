// A process of its own, started by the reader: whatever a file does to a decoder, it does it here.
import { prepareLibrary } from '../images/make-image.ts';
import { documentFacts } from './document-facts.ts';
import { imageFacts } from './image-facts.ts';
import type { FactsReply, FactsRequest } from './protocol.ts';

prepareLibrary();

process.on('message', ({ id, kind, file }: FactsRequest) => {
  (kind === 'image' ? imageFacts(file) : documentFacts(file))
    .then(
      (found): FactsReply => ({ id, found }),
      (error: unknown): FactsReply => ({ id, problem: problemOf(error) }),
    )
    .then((reply) => process.send?.(reply));
});

// The server is gone: nobody waits for what is under way, which an exit in order would wait for.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// A signal to the whole group, such as that of a terminal, is for the server: it ends us when it has finished.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

/** Without paths. */
function problemOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n')[0] ?? '').replace(/\/[^\s:]*\//g, '').slice(0, 200);
}
