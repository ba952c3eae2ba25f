import { hash, timingSafeEqual } from 'node:crypto';

/** What decides who may read the metrics. */
export interface MetricsAccess {
  /** Absent: only this machine itself reads them. */
  metricsToken: string | undefined;
  /** Set: a proxy is in front, perhaps on this machine, and may speak for anybody. */
  publicUrl: string | undefined;
}

export interface MetricsReader {
  authorization: string | undefined;
  host: string | undefined;
  /** Of the connection, not of what a header says. */
  address: string | undefined;
  isForwarded: boolean;
}

const LOOPBACK_ADDRESS = /^(?:::ffff:)?127\.\d+\.\d+\.\d+$|^::1$/;
/** A page in a browser on this machine that reaches us by a name of its own (DNS rebinding) says that name. */
const LOOPBACK_HOST = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i;

/**
 * With a token, whoever sends it as bearer may read. Without one, only who asks from this machine itself and directly, and only while no
 * CARCOSA_PUBLIC_URL says that a proxy may be asking.
 * @returns null for who may, else what to answer
 */
export function mayReadMetrics(
  { metricsToken, publicUrl }: MetricsAccess,
  { authorization, host, address, isForwarded }: MetricsReader,
): { code: 'unauthenticated' | 'forbidden'; message: string } | null {
  if (metricsToken !== undefined) {
    const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (given !== undefined && isSame(given, metricsToken)) return null;
    return { code: 'unauthenticated', message: 'Send the token of CARCOSA_METRICS_TOKEN as bearer.' };
  }
  const isDirect = !isForwarded && LOOPBACK_ADDRESS.test(address ?? '') && LOOPBACK_HOST.test(host ?? '');
  if (isDirect && publicUrl === undefined) return null;
  return {
    code: 'forbidden',
    message: 'Only this machine itself may read the metrics; set CARCOSA_METRICS_TOKEN to read them from elsewhere.',
  };
}

/** By hashes, which have one length: how long it takes tells nothing of the token. */
const isSame = (a: string, b: string): boolean =>
  timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'));
