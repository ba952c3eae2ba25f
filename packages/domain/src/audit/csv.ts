/**
 * A line of CSV as RFC 4180 has it, with CRLF. A cell that a spreadsheet would take for a formula, because it begins with = + - @
 * (also in their full-width forms), a tab or a line break, gets an apostrophe before it, as does one that begins with an apostrophe:
 * so whoever reads the cells back takes one leading apostrophe away, and has what was written.
 */
export function csvLine(cells: readonly (string | number | null)[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

function csvCell(value: string | number | null): string {
  if (value === null) return '';
  // Our own numbers are no formulas.
  if (typeof value === 'number') return String(value);
  const defused = /^[=+\-@\t\r\n'\uFF1D\uFF0B\uFF0D\uFF20]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(defused) ? `"${defused.replaceAll('"', '""')}"` : defused;
}
