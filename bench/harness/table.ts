import type { Line, Reach } from './claim.ts';
import type { Conditions } from './conditions.ts';

const BEGIN = '<!-- bench:begin -->';
const END = '<!-- bench:end -->';

/** One claim's result as it is kept in results/<name>.json. */
export type KeptResult = {
  readonly name: string;
  readonly what: string;
  readonly rounds: number;
  readonly conditions: Conditions;
  readonly lines: readonly Line[];
};

/** The table of all kept results, with the conditions of the newest below it. */
export function renderTable(results: readonly KeptResult[]): string {
  const rows = results.flatMap((result) => result.lines.map((line) => renderLine(line)));
  const head = ['| work | ours | peer | ratio | reach | verdict |', '|---|---:|---|---:|---|---|'];
  return `${[...head, ...rows, '', renderConditions(results)].join('\n')}\n`;
}

/** `text` with what stands between the markers replaced; null when it has no markers. */
export function replaceBetweenMarkers(text: string, table: string): string | null {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END, begin);
  if (begin === -1 || end === -1) return null;
  return `${text.slice(0, begin + BEGIN.length)}\n${table}${text.slice(end)}`;
}

function renderLine(line: Line): string {
  const peer = line.peer === null ? '' : line.theirs === null ? line.peer : `${line.peer}: ${figure(line.theirs)}`;
  const cells = [
    line.work,
    line.ours === null ? 'none' : `${figure(line.ours)} ${line.unit}`.trim(),
    peer,
    line.ratio === null ? '' : `${line.ratio.toFixed(2)} x`,
    renderReach(line),
    line.note ? `${line.verdict} (${line.note})` : line.verdict,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function renderReach({ reach, unit }: Line): string {
  if (reach === null) return '';
  return isRatio(reach) ? `>= ${reach.atLeastRatio.toFixed(2)} x` : `<= ${figure(reach.atMost)} ${unit}`.trim();
}

function isRatio(reach: Reach): reach is { readonly atLeastRatio: number } {
  return 'atLeastRatio' in reach;
}

/** Three digits that count, no more: the noise of a run is larger than the fourth. */
function figure(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function renderConditions(results: readonly KeptResult[]): string {
  const newest = [...results].sort((a, b) => b.conditions.date.localeCompare(a.conditions.date))[0];
  if (!newest) return 'Nothing has been measured yet.';
  const { conditions } = newest;
  const versions = Object.entries(conditions.versions).map(([name, version]) => `${name} ${version}`);
  const loads = results.map((result) => result.conditions.loadBefore);
  return [
    `Medians of at least ${Math.min(...results.map(({ rounds }) => rounds))} rounds in which the servers took turns; the ratio is the median of the ratios within`,
    `each round. 1 MB is 10^6 bytes. Measured on ${conditions.date.slice(0, 10)}: ${conditions.processor},`,
    `${conditions.cores} cores, ${conditions.memoryGiB} GiB, ${conditions.kernel}, ${conditions.fileSystem}, Node`,
    `${conditions.node}, nothing pinned, load average before the claims ${Math.min(...loads)} to ${Math.max(...loads)}.`,
    `Peers: ${versions.join(', ')}.`,
    'Every round is kept in `bench/results/`; `npm run bench` measures again.',
  ].join('\n');
}
