import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { type Server, startServer } from '../support/server.ts';
import { type MailServer, startMailServer } from '../support/smtp.ts';
import { describeWith } from '../support/tools.ts';

interface Health {
  status: string;
  components: Record<string, { status: string; latency: number; error?: string }>;
}

describeWith(['redis-server'], 'GET /api/v1/health', () => {
  let redis: TestRedis;
  let mail: MailServer;
  let server: Server;
  beforeAll(async () => {
    [redis, mail] = await Promise.all([startRedis(), startMailServer()]);
    const env = { REDIS_URL: redis.url, CARCOSA_SMTP_URL: mail.url, CARCOSA_MAIL_FROM: 'carcosa@example.com' };
    server = await startServer({ env });
  });
  afterAll(async () => {
    await server.stop();
    await Promise.all([redis.close(), mail.close()]);
  });

  const health = async () => {
    const { status, body } = await server.api('GET', '/health', { key: null });
    return { httpStatus: status, ...(body as { data: Health }).data };
  };
  const statusOf = async (name: string) => (await health()).components[name]?.status;

  it('tells how each component is', async () => {
    await expect.poll(() => statusOf('queue'), { timeout: 10_000 }).toBe('up');
    await expect.poll(() => statusOf('redis'), { timeout: 10_000 }).toBe('up');
    const { httpStatus, status, components } = await health();
    expect({ httpStatus, status }).toEqual({ httpStatus: 200, status: 'up' });
    expect(Object.keys(components).sort()).toEqual(['database', 'disk', 'mail', 'queue', 'redis', 'storage']);
    for (const [name, component] of Object.entries(components))
      expect(component, name).toEqual({ status: 'up', latency: expect.any(Number) });
  });

  it('says when Redis is away, without which the server goes on', async () => {
    await redis.kill();
    await expect.poll(() => statusOf('redis'), { timeout: 10_000 }).toBe('down');
    const { httpStatus, status, components } = await health();
    expect({ httpStatus, status }).toEqual({ httpStatus: 200, status: 'up' });
    expect(components.redis?.error).toMatch(/^[a-z_]+$/);
    await redis.start();
    await expect.poll(() => statusOf('redis'), { timeout: 10_000 }).toBe('up');
  });
});
