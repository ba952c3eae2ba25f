/** Where the bytes of a medium are read from. */
export interface MediaSource {
  /** `file:` and an absolute path, or an address of our own {@link RangeServer}. */
  readonly address: string;
  /** Decided from the bytes. */
  readonly contentType: string;
}

/** What FFmpeg may open beside its own outputs: exactly what the source needs. */
export function protocolsOf({ address }: MediaSource): { protocols: string; network: boolean } {
  return address.startsWith('http:') ? { protocols: 'http,tcp', network: true } : { protocols: 'file', network: false };
}
