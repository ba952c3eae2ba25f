// All that moves an app of UploadThing: its environment. The rest of this folder knows nothing of Carcosa.
import { findCarcosa } from '../local.ts';

const { url, uploadthingToken } = findCarcosa();
// Their SDK speaks plain http to hosts whose name has "local" in it.
const host = new URL(url).host.replace('127.0.0.1', 'localhost');
Object.assign(process.env, {
  NODE_ENV: 'development',
  UPLOADTHING_TOKEN: uploadthingToken,
  UPLOADTHING_API_URL: `http://${host}/uploadthing`,
  UPLOADTHING_INGEST_URL: `http://${host}/uploadthing/ingest`,
  UPLOADTHING_UFS_HOST: host,
  UPLOADTHING_UFS_APP_ID_LOCATION: 'path',
});
await import('./server.ts');
