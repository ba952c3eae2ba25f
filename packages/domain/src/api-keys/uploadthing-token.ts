/** What an app that was written for UploadThing needs as UPLOADTHING_TOKEN: base64 of JSON. @param url ours, as the app knows it */
export function uploadthingToken({
  url,
  projectId,
  apiKey,
}: {
  url: string;
  projectId: string;
  apiKey: string;
}): string {
  const token = { apiKey, appId: projectId, regions: ['local'], ingestHost: new URL(url).host };
  return Buffer.from(JSON.stringify(token)).toString('base64');
}
