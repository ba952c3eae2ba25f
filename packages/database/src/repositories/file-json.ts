const instant = (column: string) => `to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/**
 * SQL that makes the contract's `File` of a row of `files`. PostgreSQL writes the JSON, so that a listing is passed on as
 * text without being parsed and printed again here (half as fast again, measured).
 * @param alias of `files` in the query
 * @param publicUrl the placeholder, such as `$1`, that holds our public address without a "/" at its end
 */
export function fileJson(alias: string, publicUrl: string): string {
  const f = alias;
  return `json_build_object(
    'id', ${f}.id, 'key', ${f}.key, 'name', ${f}.name, 'path', ${f}.path, 'size', ${f}.size,
    'contentType', ${f}.content_type, 'declaredContentType', ${f}.declared_content_type,
    'sha256', encode(${f}.sha256, 'hex'), 'md5', encode(${f}.md5, 'hex'),
    'visibility', ${f}.visibility, 'version', ${f}.version, 'url', ${publicUrl}::text || '/f/' || ${f}.key,
    'metadata', ${f}.metadata, 'tags', ${f}.tags, 'tenantId', nullif(${f}.tenant_id, ''), 'bucketId', ${f}.bucket_id,
    'uploadedBy', ${f}.uploaded_by, 'createdAt', ${instant(`${f}.created_at`)}, 'updatedAt', ${instant(`${f}.updated_at`)},
    'deletedAt', ${instant(`${f}.deleted_at`)})`;
}
