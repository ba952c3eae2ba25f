import { CarcosaError } from '@carcosa/kernel';
import { assertStorageKey } from '../../key.ts';

const INTERNAL = '.carcosa/';
const UPLOAD_ID = /^[A-Za-z0-9_-]{1,100}$/;

/** Where things lie in the bucket. All names that it gives are whole keys of the provider. */
export class Layout {
  /** Empty, or ends in "/". */
  readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** @throws CarcosaError `invalid_path` for a key that we did not make, or that is reserved */
  object(key: string): string {
    assertStorageKey(key);
    if (key.startsWith(INTERNAL))
      throw new CarcosaError('invalid_path', { message: `Keys below "${INTERNAL}" are reserved.` });
    return this.prefix + key;
  }

  /** Our key of what the provider lists; `null` for what is not an object of a user. */
  key(providerKey: string): string | null {
    const key = providerKey.slice(this.prefix.length);
    return key.startsWith(INTERNAL) ? null : key;
  }

  /** Folder of what an unfinished upload holds beside its multipart upload; ends in "/". */
  staging(uploadId: string): string {
    return `${this.prefix}${INTERNAL}staging/${assertUploadId(uploadId)}/`;
  }

  /** Where a client's single PUT arrives. */
  incoming(uploadId: string): string {
    return `${this.prefix}${INTERNAL}incoming/${assertUploadId(uploadId)}`;
  }

  /** Where it is tried what we may do. */
  probe(name: string): string {
    return `${this.prefix}${INTERNAL}probe/${name}`;
  }
}

function assertUploadId(uploadId: string): string {
  if (UPLOAD_ID.test(uploadId)) return uploadId;
  throw new CarcosaError('invalid_path', { message: 'The id of the upload is not of the form that Carcosa makes.' });
}
