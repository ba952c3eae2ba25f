import type { Histogram } from '@carcosa/kernel';
import { METRICS, type MetricName } from './catalogue.ts';

/** The media type of what {@link Exposition} writes. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * The text format of Prometheus (version 0.0.4), one block a metric in the order of the catalogue. Values are given label by label in
 * the order in which the catalogue names the labels.
 */
export class Exposition {
  readonly #lines = new Map<MetricName, string[]>();

  /** @throws Error for another number of labels than the metric has */
  add(name: MetricName, value: number, ...labels: string[]): void {
    this.#linesOf(name).push(`${name}${this.#labels(name, labels)} ${text(value)}`);
  }

  /** @throws Error for another number of labels than the metric has */
  addHistogram(name: MetricName, { bounds, counts, sum, count }: Histogram, ...labels: string[]): void {
    const lines = this.#linesOf(name);
    let below = 0;
    for (const [index, bound] of bounds.entries()) {
      below += counts[index] ?? 0;
      lines.push(`${name}_bucket${this.#labels(name, labels, bound)} ${text(below)}`);
    }
    lines.push(`${name}_bucket${this.#labels(name, labels, Number.POSITIVE_INFINITY)} ${text(count)}`);
    lines.push(`${name}_sum${this.#labels(name, labels)} ${text(sum)}`);
    lines.push(`${name}_count${this.#labels(name, labels)} ${text(count)}`);
  }

  toString(): string {
    const names = Object.keys(METRICS) as MetricName[];
    return names.flatMap((name) => this.#block(name)).join('');
  }

  #block(name: MetricName): string[] {
    const { type, help } = METRICS[name];
    const lines = this.#lines.get(name) ?? [];
    return [`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n`].concat(
      lines.map((line) => `${line}\n`),
    );
  }

  #linesOf(name: MetricName): string[] {
    const known = this.#lines.get(name);
    if (known) return known;
    const lines: string[] = [];
    this.#lines.set(name, lines);
    return lines;
  }

  #labels(name: MetricName, values: readonly string[], bound?: number): string {
    const { labels } = METRICS[name];
    if (labels.length !== values.length) throw new Error(`${name} has ${labels.length} labels, not ${values.length}`);
    const pairs = labels.map((label, index) => `${label}="${escapeLabel(values[index] ?? '')}"`);
    if (bound !== undefined) pairs.push(`le="${text(bound)}"`);
    return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
  }
}

const escapeLabel = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

function text(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
