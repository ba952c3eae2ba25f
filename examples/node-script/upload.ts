// npm start -- photo.jpg film.mp4
import { createCarcosa } from '@carcosa/sdk/node';
import { findCarcosa } from '../local.ts';

const { url, apiKey } = findCarcosa();
const carcosa = createCarcosa({ url, apiKey });
const paths = process.argv.slice(2);
for (const path of paths.length > 0 ? paths : [import.meta.filename]) {
  const file = await carcosa.upload({ path });
  console.log(`${file.name}: ${file.size} bytes, ${file.url}`);
}
