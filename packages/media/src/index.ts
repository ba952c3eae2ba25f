export { SNIFF_BYTES, sniffContentType } from './sniff/sniff-content-type.ts';
