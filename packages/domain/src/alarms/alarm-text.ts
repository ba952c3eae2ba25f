import { ALARM_KINDS, type AlarmNews } from '@carcosa/contracts';

/** Subjects that a message names; of more, it says how many. */
const NAMED = 20;

/** The first line of a message about an alarm. */
export function headline({ name, fired, isTest }: AlarmNews): string {
  if (isTest) return `Test of the alarm "${plain(name)}"`;
  return fired.length > 0 ? `Alarm: ${plain(name)}` : `Resolved: ${plain(name)}`;
}

/** What a person reads of an alarm. */
export function messageText(news: AlarmNews, publicUrl: string): string {
  const { kind, fired, resolved, threshold, unit, isTest } = news;
  const lines = [`${headline(news)} (${publicUrl})`, ''];
  if (isTest)
    lines.push('Somebody pressed the test button: nothing is wrong. Alarms of this kind will reach you here.', '');
  lines.push(...listed('Bad', fired, unit), ...listed('Well again', resolved, unit));
  lines.push(`It watches ${ALARM_KINDS[kind].measures}; the threshold is ${threshold}${unit}.`);
  return `${lines.join('\n')}\n`;
}

function listed(title: string, subjects: AlarmNews['fired'], unit: string): string[] {
  if (subjects.length === 0) return [];
  const named = subjects.slice(0, NAMED).map(({ label, value }) => `- ${plain(label)}: ${value}${unit}`);
  const more = subjects.length > NAMED ? [`- and ${subjects.length - NAMED} more`] : [];
  return [`${title}:`, ...named, ...more, ''];
}

/** Names are chosen by users: none may begin a line of its own, or be markup of a chat program. */
const plain = (text: string): string =>
  text
    .replace(/\s+/g, ' ')
    .replace(/[<>@`*_~|]/g, '·')
    .slice(0, 200);

/** The body that the incoming webhook of a chat program takes: Discord has a form of its own, all others know that of Slack. */
export function chatBody(url: string, text: string): string {
  const { hostname, pathname } = new URL(url);
  const isDiscord = /(^|\.)discord(app)?\.com$/.test(hostname) && !pathname.endsWith('/slack');
  return JSON.stringify(isDiscord ? { content: text.slice(0, 2000), allowed_mentions: { parse: [] } } : { text });
}
