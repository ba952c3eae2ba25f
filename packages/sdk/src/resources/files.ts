import type { BodyOf, CallOptions, Http, QueryOf } from '../http.ts';
import type { BulkResult, File, FileVersion, Folder, UpdateFileBody } from '../openapi.ts';
import { type Pages, pages } from '../pages.ts';

type Listing<Name extends 'GET /files' | 'GET /files/folders' | 'GET /files/{id}/versions'> = Omit<
  QueryOf<Name>,
  'cursor'
>;
type SignOptions = BodyOf<'POST /files/{id}/signed-url'>;

/** Files that are stored. Ids look like `file_…`. */
export class Files {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** `for await (const file of files.list({ folder: 'photos' }))`; of the trash with `status: 'trashed'`. */
  list(query: Listing<'GET /files'> = {}): Pages<File> {
    return pages((cursor) => this.#http.call('GET /files', { query: this.#http.inProject({ ...query, cursor }) }));
  }

  /** The folders in a folder, with the files and bytes below each; "" is the top. */
  folders(query: Listing<'GET /files/folders'> = {}): Pages<Folder> {
    return pages((cursor) =>
      this.#http.call('GET /files/folders', { query: this.#http.inProject({ ...query, cursor }) }),
    );
  }

  get(id: string): Promise<File> {
    return this.#http.call('GET /files/{id}', this.#at(id));
  }

  /** The file at a path of the project, or null. */
  async find(path: string, tenantId?: string): Promise<File | null> {
    const folder = path.split('/').slice(0, -1).join('/');
    const name = folder === '' ? path : path.slice(folder.length + 1);
    const query = { folder, q: name, ...(tenantId === undefined ? {} : { tenantId }) };
    for await (const file of this.list(query)) if (file.path === path) return file;
    return null;
  }

  update(id: string, body: UpdateFileBody): Promise<File> {
    return this.#http.call('PATCH /files/{id}', { ...this.#at(id), body });
  }

  rename(id: string, name: string): Promise<File> {
    return this.update(id, { name });
  }

  move(id: string, path: string): Promise<File> {
    return this.update(id, { path });
  }

  /** Replaces the tags. */
  setTags(id: string, tags: string[]): Promise<File> {
    return this.update(id, { tags });
  }

  copy(id: string, path: string): Promise<File> {
    return this.#http.call('POST /files/{id}/copy', { ...this.#at(id), body: { path } });
  }

  /** Into the trash; with `permanent`, for good. */
  delete(id: string, { permanent = false }: { permanent?: boolean } = {}): Promise<File> {
    const query = this.#http.inProject({ permanent });
    return this.#http.call('DELETE /files/{id}', { path: { id }, query });
  }

  /** Out of the trash, to another path where its own has been taken. */
  restore(id: string, path?: string): Promise<File> {
    return this.#http.call('POST /files/{id}/restore', { ...this.#at(id), body: path === undefined ? {} : { path } });
  }

  /** The newest first. */
  versions(id: string, query: Listing<'GET /files/{id}/versions'> = {}): Pages<FileVersion> {
    return pages((cursor) =>
      this.#http.call('GET /files/{id}/versions', {
        path: { id },
        query: this.#http.inProject({ ...query, cursor }),
      }),
    );
  }

  restoreVersion(id: string, version: number): Promise<File> {
    return this.#http.call('POST /files/{id}/versions/{version}/restore', {
      path: { id, version },
      query: this.#http.inProject({}),
    });
  }

  /** Up to 1,000 at once, each with a result of its own. */
  bulk(body: BodyOf<'POST /files/bulk'>): Promise<BulkResult> {
    return this.#http.call('POST /files/bulk', { query: this.#http.inProject({}), body });
  }

  /** The bytes, as the answer of `fetch`; `Range` among `headers` asks for some of them. */
  download(id: string, options: CallOptions & { version?: number } = {}): Promise<Response> {
    const { version, ...rest } = options;
    return this.#http.send(
      'GET /files/{id}/download',
      { path: { id }, ...(version === undefined ? {} : { query: { version } }) },
      rest,
    );
  }

  /** An address that opens a private file for `expiresIn` seconds: an hour by default, seven days at most. */
  signedUrl(id: string, body: SignOptions = {}): Promise<{ url: string; expiresAt: string }> {
    return this.#http.call('POST /files/{id}/signed-url', { path: { id }, body });
  }

  #at(id: string) {
    return { path: { id }, query: this.#http.inProject({}) };
  }
}
