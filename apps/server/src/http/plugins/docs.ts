import type { App } from '../types.ts';
import type { Carcosa } from '../../compose.ts';
export function addDocumentation(_app: App, _carcosa: Carcosa): void {}
