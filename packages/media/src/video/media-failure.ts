/** Why nothing was made: what is wrong with the source, with what was asked for, with our disk, or that it was called off. */
export type MediaFault = 'unreadable' | 'too-large' | 'impossible' | 'disk-full' | 'aborted' | 'source-missing';

/** The message is for the client. */
export class MediaFailure extends Error {
  readonly fault: MediaFault;

  constructor(fault: MediaFault, message: string) {
    super(message);
    this.fault = fault;
  }
}
