/** A file with its place in the folder that it was dropped or chosen with: "photos/2026/cat.jpg"; otherwise its name. */
export function pathOf(file: File): string {
  return paths.get(file) ?? (file.webkitRelativePath || file.name);
}

const paths = new WeakMap<File, string>();

/** The files of a drop or paste, those in folders too where the browser tells. */
export async function filesOf(transfer: DataTransfer): Promise<File[]> {
  // The list of a drop is emptied as soon as its event is over: all entries first.
  const items = [...transfer.items].filter(({ kind }) => kind === 'file');
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const found = await Promise.all(
    entries.map((entry) => (entry instanceof File ? [entry] : entry ? readEntry(entry) : [])),
  );
  return found.flat();
}

async function readEntry(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    paths.set(file, entry.fullPath.replace(/^\//, ''));
    return [file];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const children: FileSystemEntry[] = [];
  // A reader gives some at a time, and none at its end.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    children.push(...some);
  }
  return (await Promise.all(children.map(readEntry))).flat();
}

/** Whether a file is of what an `accept` attribute names: ".pdf", "image/*", "text/plain"; nothing means anything. */
export function accepts(accept: string | undefined, { name, type }: File): boolean {
  if (!accept) return true;
  return accept.split(',').some((each) => {
    const wanted = each.trim().toLowerCase();
    if (wanted.startsWith('.')) return name.toLowerCase().endsWith(wanted);
    return wanted.endsWith('/*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted;
  });
}
