import { DEFAULT_TEXT_COLOUR, DEFAULT_TEXT_SIZE, type ImageSteps } from '@carcosa/contracts';
import sharp from 'sharp';
import { ImageFailure } from '../failure.ts';

/** Dots an inch at which a point is a pixel. */
const DPI = 72;
/** Pango counts the size of letters in these parts of a point. */
const PANGO_SCALE = 1024;

/** A text as a PNG that fits into `width` pixels. Its letters are never markup. @throws ImageFailure */
export async function drawText(steps: ImageSteps, width: number): Promise<Buffer> {
  const { text = '', textSize = DEFAULT_TEXT_SIZE, textColour = DEFAULT_TEXT_COLOUR } = steps;
  const escaped = text.replace(/[&<>]/g, (letter) => `&#${letter.charCodeAt(0)};`);
  const markup = `<span foreground="#${textColour}" size="${textSize * PANGO_SCALE}">${escaped}</span>`;
  try {
    return await sharp({ text: { text: markup, font: 'sans', rgba: true, dpi: DPI, width, wrap: 'word-char' } })
      .png({ compressionLevel: 0 })
      .toBuffer();
  } catch (error) {
    const isFont = error instanceof Error && /font/i.test(error.message);
    const message = isFont
      ? 'There are no fonts on this server: install some, such as the package fonts-dejavu-core.'
      : 'This text cannot be drawn: make it smaller or shorter.';
    throw new ImageFailure('impossible', message);
  }
}
