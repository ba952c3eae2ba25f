/** Writes what a command has to say: for a person, or with `--json` for a program. */
export class Output {
  readonly isJson: boolean;
  readonly #out: NodeJS.WritableStream;
  readonly #error: NodeJS.WritableStream;

  constructor(isJson: boolean, out: NodeJS.WritableStream, error: NodeJS.WritableStream) {
    this.isJson = isJson;
    this.#out = out;
    this.#error = error;
  }

  /** The answer of a command: JSON as it is, for a person what `text` makes of it. */
  result<Value>(value: Value, text: (value: Value) => string): void {
    this.#out.write(this.isJson ? `${JSON.stringify(value)}\n` : ensureLine(text(value)));
  }

  /** Something by the way, on standard error; not with `--json`. */
  say(text: string): void {
    if (!this.isJson) this.#error.write(ensureLine(text));
  }

  failure(error: { message: string; code?: string; details?: unknown }): void {
    const { message, code = 'failed', details } = error;
    this.#error.write(this.isJson ? `${JSON.stringify({ error: code, message, details })}\n` : `${message}\n`);
  }
}

const ensureLine = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`);

/** Rows in columns that are as wide as their widest cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [head, ...rows].map(line).join('\n');
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function bytes(count: number): string {
  const unit = Math.min(UNITS.length - 1, count < 1000 ? 0 : Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** unit).toFixed(unit === 0 ? 0 : 1)} ${UNITS[unit]}`;
}
