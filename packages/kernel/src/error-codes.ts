interface ErrorCodeEntry {
  /** Default message, for a person: says what is wrong and what to do. */
  readonly message: string;
  /** Whether the same call may succeed later without a change by the caller. */
  readonly retryable: boolean;
}

const entry = (message: string, retryable = false): ErrorCodeEntry => ({ message, retryable });

/**
 * Every error code that a client can see. `docs/errors.md` is generated from this registry together with the
 * table of HTTP statuses in the server; tests hold the three equal.
 */
export const ERROR_CODES = {
  invalid_request: entry('The request is not of the expected form; `details` lists each field that is wrong.'),
  invalid_path: entry('The path is not allowed; use up to 1,024 bytes of non-empty segments without "." or "..".'),
  unauthenticated: entry(
    'Send an API key or the access token of somebody who is logged in: "Authorization: Bearer …" or "x-api-key: sk_…".',
  ),
  invalid_credentials: entry('The e-mail address or the password is wrong.'),
  invalid_code: entry('The code is wrong or has expired; send the one that is shown now.'),
  second_step_expired: entry('This second step is over; log in with the password again.'),
  second_step_locked: entry('There were too many wrong codes; try again later.', true),
  email_unverified: entry('Follow the link in the mail that was sent to you first, or ask for a new one.'),
  email_taken: entry('There is an account with this e-mail address; log in, or reset its password.'),
  no_password: entry('This account has no password; set one by "forgot password".'),
  link_invalid: entry('This link was used, has expired or is not whole; ask for a new one.'),
  login_not_fresh: entry('Log in again to do this: your last log-in was too long ago.'),
  passkey_refused: entry('The passkey was not accepted; begin again.'),
  login_provider_unavailable: entry(
    'The provider does not answer at present; retry later, or log in another way.',
    true,
  ),
  cross_site_request: entry('A request with cookies must come from a page of this server.'),
  forbidden: entry('This key may not do that; use one with the permission named in `details`.'),
  tenant_suspended: entry('This tenant is suspended and may write nothing; ask whoever runs the app.'),
  not_found: entry('There is nothing here that you may see.'),
  method_not_allowed: entry('This address does not answer that method.'),
  last_owner: entry('An organization has at least one owner; make somebody else an owner first.'),
  conflict: entry('The change conflicts with the present state; read it again and retry.'),
  bucket_in_use: entry('The bucket is in use; `details` lists by what.'),
  path_taken: entry('A file with that path exists already.'),
  idempotency_key_reused: entry('This Idempotency-Key was used with a different request; use a new key.'),
  idempotency_in_progress: entry('The first request with this Idempotency-Key is still running; retry shortly.', true),
  file_too_large: entry('The file is larger than its project allows; `details` says how large it may be.'),
  file_type_not_allowed: entry(
    'The bytes are of a type that the project does not take; `details` says which it takes.',
  ),
  file_measures_not_allowed: entry(
    'The picture or recording is smaller, larger, shorter or longer than allowed; `details` says what is allowed.',
  ),
  callback_failed: entry(
    'The file is stored, but the app did not take the word of it; it is told again by itself.',
    true,
  ),
  payload_too_large: entry('The body is larger than what is allowed or was declared.'),
  headers_too_large: entry('The header lines are larger than 16 KiB together; send fewer or shorter ones.'),
  length_required: entry('Declare the length of the body (Content-Length).'),
  length_mismatch: entry('The number of bytes that arrived is not the number that was declared.'),
  checksum_mismatch: entry('The bytes that arrived do not match the checksum that was declared; send them again.'),
  unsupported_media_type: entry('This address does not read that content type.'),
  image_unreadable: entry('The file is not a picture that can be read: it is damaged, or of another kind.'),
  image_too_large: entry('The picture has more pixels or bytes than one may have, or takes too long to read.'),
  transform_not_allowed: entry(
    'The project allows only some transforms without a signature; `details` says which. Sign the address, or send a key with transforms:execute.',
  ),
  remote_unavailable: entry('The picture could not be fetched from its address.', true),
  media_unreadable: entry('The file is not video or audio that can be read: it is damaged, or of another kind.'),
  media_too_large: entry('The video or sound is larger or longer than one may be, or takes too long to read.'),
  program_missing: entry('The server lacks a program that this needs; the message names the package to install.'),
  file_quarantined: entry(
    'The file is not served until a virus scan has found it clean; `details.state` says whether it waits or was found infected.',
    true,
  ),
  precondition_failed: entry(
    'The file is not, or no longer, the one that the conditions of the request name; ask for it anew.',
  ),
  range_not_satisfiable: entry('The range lies outside of the file.'),
  signature_invalid: entry('The signature of this address is missing, wrong or expired; ask for a new signed address.'),
  upload_not_open: entry('This upload has ended (completed, aborted or expired); start a new one.'),
  upload_offset_mismatch: entry('The offset is not where this upload stands; ask for it with HEAD and continue there.'),
  upload_locked: entry('Another request is writing to this upload; retry shortly.', true),
  upload_incomplete: entry('Bytes or parts are missing; `details` says which.'),
  upload_interrupted: entry('The body ended early; what arrived is saved, continue from the offset.', true),
  upload_fenced: entry('Another writer has taken this upload over; ask for the offset and continue.', true),
  quota_exceeded: entry('A quota is used up; `details` says which, and how far. Remove something, or have it raised.'),
  rate_limited: entry('There were too many requests; wait as long as Retry-After says.', true),
  unsupported_protocol_version: entry('This server speaks tus 1.0.0; send "Tus-Resumable: 1.0.0".'),
  request_timeout: entry('The request came in too slowly and was cut off; what arrived of an upload is saved.', true),
  storage_full: entry('The storage has no room for these bytes; free some or add a bucket.', true),
  billing_unavailable: entry('The provider of payments does not answer at present; it is tried again.', true),
  storage_unavailable: entry('The bucket does not answer at present; retry later.', true),
  storage_misconfigured: entry('The bucket refuses our credentials or does not exist; check its settings.'),
  database_unavailable: entry('The database does not answer at present; retry later.', true),
  overloaded: entry('The server has as much work as it can hold; retry later.', true),
  shutting_down: entry('The server is stopping; retry shortly.', true),
  configuration_invalid: entry('A setting is missing or wrong.'),
  internal_error: entry('Something went wrong on our side; the request id finds it in the server log.', true),
} as const satisfies Record<string, ErrorCodeEntry>;

export type ErrorCode = keyof typeof ERROR_CODES;
