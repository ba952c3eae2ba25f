/** Short messages between all processes on one database. Lost when nobody listens; never relied on for correctness. */
export interface Notifications {
  publish(channel: string, payload: Record<string, unknown>): Promise<void>;
  /** @returns a function that ends the subscription */
  subscribe(channel: string, handler: (payload: Record<string, unknown>) => void): () => void;
}
