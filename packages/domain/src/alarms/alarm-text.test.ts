import type { AlarmNews } from '@carcosa/contracts';
import { expect, it } from 'vitest';
import { chatBody, headline, messageText } from './alarm-text.ts';

const subject = {
  subject: 'whk_1',
  label: 'https://receiver.example/hook',
  since: '2026-01-01T00:00:00.000Z',
  value: 7,
};
const news: AlarmNews = {
  ...{ alarmId: 'alm_1', organizationId: 'org_1', kind: 'webhook', name: 'A webhook fails', threshold: 5 },
  ...{ unit: ' failed attempts', fired: [subject], resolved: [], isTest: false },
};

it('tells a person what is bad, how bad, and what the threshold is', () => {
  const text = messageText(news, 'https://files.example');
  expect(text).toContain('Alarm: A webhook fails (https://files.example)');
  expect(text).toContain('- https://receiver.example/hook: 7 failed attempts');
  expect(text).toContain('the threshold is 5 failed attempts');
  expect(headline({ ...news, fired: [], resolved: [subject] })).toBe('Resolved: A webhook fails');
});

it('names twenty of many, and says how many more', () => {
  const text = messageText({ ...news, fired: Array.from({ length: 25 }, () => subject) }, 'https://files.example');
  expect(text.match(/^- https/gm)).toHaveLength(20);
  expect(text).toContain('- and 5 more');
});

it('lets no name begin a line, mention everybody or be markup', () => {
  const label = 'x\n\nYou won: <https://evil.example|click> @everyone *now*';
  const text = messageText({ ...news, name: label, fired: [{ ...subject, label }] }, 'https://files.example');
  expect(text).not.toMatch(/^You won/m);
  expect(text).not.toMatch(/[<@*]/);
});

it('speaks to Discord in its own form, and to all others in that of Slack', () => {
  const of = (url: string) => Object.keys(JSON.parse(chatBody(url, 'x')));
  expect(of('https://discord.com/api/webhooks/1/abc')).toEqual(['content', 'allowed_mentions']);
  expect(of('https://discord.com/api/webhooks/1/abc/slack')).toEqual(['text']);
  expect(of('https://hooks.slack.com/services/T/B/x')).toEqual(['text']);
  expect(of('https://notdiscord.com/hooks/x')).toEqual(['text']);
});
