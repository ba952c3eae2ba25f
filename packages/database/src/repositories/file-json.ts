const instant = (column: string) => `to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/**
 * SQL that makes the contract's `File` of a row of `files`. PostgreSQL writes the JSON, so that a listing is passed on as
 * text without being parsed and printed again here (half as fast again, measured). `row_to_json` looks its columns' types up
 * once a query, `json_build_object` once a row: that is a fifth of its time.
 * @param alias of `files` in the query
 * @param publicUrl the placeholder, such as `$1`, that holds our public address without a "/" at its end
 */
export function fileJson(alias: string, publicUrl: string): string {
  const f = alias;
  return `(select row_to_json(file_row) from (select
    ${f}.id, ${f}.key, ${f}.name, ${f}.path, ${f}.size,
    ${f}.content_type as "contentType", ${f}.declared_content_type as "declaredContentType",
    encode(${f}.sha256, 'hex') as sha256, encode(${f}.md5, 'hex') as md5,
    ${f}.visibility, ${f}.version, ${publicUrl}::text || '/f/' || ${f}.key as url,
    ${f}.metadata, ${f}.tags, nullif(${f}.tenant_id, '') as "tenantId", ${f}.bucket_id as "bucketId",
    ${f}.uploaded_by as "uploadedBy", ${instant(`${f}.created_at`)} as "createdAt",
    ${instant(`${f}.updated_at`)} as "updatedAt", ${instant(`${f}.deleted_at`)} as "deletedAt") file_row)`;
}
