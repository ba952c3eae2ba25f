import type { UploadTask } from '@carcosa/sdk';
import type { UploadItem, UseUploads, UseUploadsOptions } from './use-uploads.ts';

/** What stands behind `useUploads`: a list that tells of every change by a new snapshot. */
export class UploadStore<Result> {
  readonly #options: () => UseUploadsOptions<Result>;
  readonly #listeners = new Set<() => void>();
  #items: UploadItem<Result>[] = [];
  #next = 1;
  #snapshot: UseUploads<Result>;

  constructor(options: () => UseUploadsOptions<Result>) {
    this.#options = options;
    this.#snapshot = this.#take();
  }

  get snapshot(): UseUploads<Result> {
    return this.#snapshot;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #add(files: Iterable<File>): void {
    const list = [...files];
    if (list.length === 0) return;
    const tasks = this.#options().begin(list);
    const items = tasks.map((task, index) => ({ id: String(this.#next++), file: list[index] as File, task }));
    this.#items = [...this.#items, ...items];
    for (const { id, file, task } of items) this.#follow(id, file, task);
    this.#tell();
  }

  #retry(id: string): void {
    const item = this.#items.find((each) => each.id === id);
    if (item?.task.state !== 'failed') return;
    const [task] = this.#options().begin([item.file]);
    if (!task) return;
    this.#items = this.#items.map((each) => (each.id === id ? { ...each, task } : each));
    this.#follow(id, item.file, task);
    this.#tell();
  }

  #remove(id: string): void {
    const item = this.#items.find((each) => each.id === id);
    this.#items = this.#items.filter((each) => each.id !== id);
    void item?.task.cancel();
    this.#tell();
  }

  #clear(): void {
    this.#items = this.#items.filter(({ task }) => isUnderWay(task));
    this.#tell();
  }

  #follow(id: string, file: File, task: UploadTask<Result>): void {
    const end = task.subscribe(() => {
      this.#items = this.#items.map((each) => (each.id === id && each.task === task ? { ...each } : each));
      this.#tell();
    });
    task.done
      .then(
        (result) => this.#options().onUploaded?.(result, file),
        () => {
          if (task.error && task.state === 'failed') this.#options().onError?.(task.error, file);
        },
      )
      .finally(() => {
        end();
        if (!this.#items.some((each) => isUnderWay(each.task))) this.#complete();
      });
  }

  #complete(): void {
    const results = this.#items.flatMap(({ task }) => (task.state === 'completed' ? [task.result as Result] : []));
    if (results.length > 0) this.#options().onComplete?.(results);
  }

  #tell(): void {
    this.#snapshot = this.#take();
    for (const listener of this.#listeners) listener();
  }

  #take(): UseUploads<Result> {
    const counted = this.#items.filter(({ task }) => task.state !== 'cancelled');
    const total = counted.reduce((sum, { file }) => sum + file.size, 0);
    const sent = counted.reduce((sum, { file, task }) => sum + file.size * fractionOf(task), 0);
    return {
      uploads: this.#items,
      state: stateOf(counted.map(({ task }) => task)),
      fraction: total > 0 ? sent / total : 0,
      add: (files) => this.#add(files),
      retry: (id) => this.#retry(id),
      remove: (id) => this.#remove(id),
      clear: () => this.#clear(),
    };
  }
}

const isUnderWay = ({ state }: UploadTask<unknown>): boolean =>
  state === 'waiting' || state === 'uploading' || state === 'paused';

const fractionOf = (task: UploadTask<unknown>): number =>
  task.state === 'completed' ? 1 : task.progress.total === null ? 0 : task.progress.fraction;

function stateOf(tasks: readonly UploadTask<unknown>[]): UseUploads<unknown>['state'] {
  const has = (state: UploadTask<unknown>['state']): boolean => tasks.some((task) => task.state === state);
  if (has('waiting') || has('uploading')) return 'uploading';
  if (has('paused')) return 'paused';
  if (has('failed')) return 'failed';
  return has('completed') ? 'completed' : 'idle';
}
