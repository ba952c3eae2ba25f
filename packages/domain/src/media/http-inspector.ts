import { Findings, type Inspection } from '@carcosa/contracts';
import { CarcosaError, type Clock, type IdGenerator, toIsoString } from '@carcosa/kernel';
import type { WebhookSender } from '../webhooks/sender.ts';
import type { InspectedFile, Inspector } from './inspector.ts';

export interface HttpInspectorParts {
  /** Connects to no private address, follows no redirect, and gives up in time. */
  sender: Pick<WebhookSender, 'send'>;
  clock: Clock;
  ids: IdGenerator;
}

/**
 * Asks a service by HTTP, such as one for moderation or tagging: `POST` of `{type: "file.inspect", timestamp, data}`, where `data` is the file with an
 * address of its content. The service answers with `Findings` of the contracts as JSON, or with 204 where it has found nothing.
 */
export class HttpInspector implements Inspector {
  readonly #parts: HttpInspectorParts;

  constructor(parts: HttpInspectorParts) {
    this.#parts = parts;
  }

  async inspect(file: InspectedFile, { url }: Inspection, { signal }: { signal: AbortSignal }): Promise<Findings> {
    const { sender, clock, ids } = this.#parts;
    if (url === undefined) throw new CarcosaError('invalid_request', { message: 'The rule has no url.' });
    const body = JSON.stringify({ type: 'file.inspect', timestamp: toIsoString(clock.now()), data: file });
    const answer = await sender.send({ url, secrets: [], id: ids.next('request'), body, signal });
    if (answer.error !== null) throw new Error(`the inspector has not answered: ${answer.error}`);
    if (answer.status === 204 || !answer.responseBody) return {};
    return Findings.parse(JSON.parse(answer.responseBody));
  }
}
