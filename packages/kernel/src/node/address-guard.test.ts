import { once } from 'node:events';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AddressGuard, LOOPBACK_NETWORKS } from './address-guard.ts';

const guarded = (...allow: string[]) => new AddressGuard({ allow, refuse: (host) => new Error(`refused ${host}`) });

describe('an address', () => {
  it.each([
    ...['127.0.0.1', '127.255.255.255', '0.0.0.0', '10.1.2.3', '100.64.0.1', '169.254.169.254', '172.16.0.1'],
    ...['172.31.255.255', '192.168.0.1', '192.0.0.1', '198.18.0.1', '224.0.0.1', '255.255.255.255'],
    ...[
      '::',
      '::1',
      '::ffff:7f00:1',
      '::ffff:127.0.0.1',
      '::ffff:a9fe:a9fe',
      '::127.0.0.1',
      '64:ff9b::7f00:1',
      'fd00::1',
    ],
    ...['fe80::1', 'fe80::1%lo', 'fec0::1', 'ff02::1', '2002:7f00:1::', '2001::1', '2001:db8::1', 'not an address', ''],
  ])('%s is refused', (address) => {
    expect(guarded().isAllowed(address)).toBe(false);
  });

  it.each(['1.1.1.1', '8.8.8.8', '172.15.255.255', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1'])(
    '%s is public',
    (address) => {
      expect(guarded().isAllowed(address)).toBe(true);
    },
  );

  it('of an allowed network passes, in each of its spellings', () => {
    const guard = guarded('10.0.0.0/8', 'fd12::/16', '192.168.7.7');
    for (const address of ['10.9.9.9', '::ffff:10.9.9.9', '::ffff:a09:909', 'fd12::1', '192.168.7.7'])
      expect(guard.isAllowed(address), address).toBe(true);
    for (const address of ['11.0.0.1', '127.0.0.1', 'fd13::1', '192.168.7.8'])
      expect(guard.isAllowed(address), address).toBe(address === '11.0.0.1');
  });

  it('means the same as IPv4 and as IPv4 inside of IPv6, or less', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        if (guarded().isAllowed(`::ffff:${address}`)) expect(guarded().isAllowed(address)).toBe(true);
      }),
    );
  });
});

describe('a connection', () => {
  let server: Server;
  let port: number;
  beforeAll(async () => {
    server = createServer((_request, answer) => answer.end('reached'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => void server.close());

  const ask = async (host: string, guard: AddressGuard): Promise<string> => {
    const { http } = guard.agents({});
    try {
      const request = get({ host, port, agent: http });
      const [response] = await once(request, 'response');
      return (await response.setEncoding('utf8').toArray()).join('');
    } finally {
      http.destroy();
    }
  };

  it.each([
    '127.0.0.1',
    'localhost',
    '0x7f000001',
    '2130706433',
    '0177.0.0.1',
    '127.1',
    '::ffff:7f00:1',
    '[::ffff:7f00:1]',
  ])('to %s is refused', async (host) => {
    await expect(ask(host, guarded())).rejects.toThrow(`refused ${host}`);
  });

  it('passes where its address is allowed', async () => {
    const guard = guarded(...LOOPBACK_NETWORKS);
    for (const host of ['127.0.0.1', 'localhost', '0x7f000001']) expect(await ask(host, guard)).toBe('reached');
  });

  it('by TLS is refused too', async () => {
    const { https } = guarded().agents({});
    const asked = fetchBy(https);
    await expect(asked).rejects.toThrow('refused localhost');
  });

  async function fetchBy(agent: ReturnType<AddressGuard['agents']>['https']): Promise<unknown> {
    const { get: getSecurely } = await import('node:https');
    return once(getSecurely({ host: 'localhost', port, agent }), 'response');
  }
});
