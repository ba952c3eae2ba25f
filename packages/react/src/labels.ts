import type { CarcosaError } from '@carcosa/sdk';

/** Every word that the parts show or say. Give some of them to translate or reword; the others stay English. */
export interface Labels {
  choose: string;
  chooseMany: string;
  drop: string;
  dropNow: string;
  pause: string;
  resume: string;
  cancel: string;
  retry: string;
  remove: string;
  waiting: string;
  paused: string;
  completed: string;
  cancelled: string;
  /** Of the list. */
  uploads: string;
  /** A button's name for who cannot see beside which file it is: "Cancel cat.jpg". */
  action(action: string, name: string): string;
  /** Such as "3.4 MB". */
  bytes(count: number): string;
  /** Such as "12 s left". */
  remaining(seconds: number): string;
  /** What went wrong, for a person. */
  error(error: CarcosaError): string;
  /** Said when files were taken, and when one is done or has failed. */
  added(count: number): string;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export const ENGLISH: Labels = {
  choose: 'Choose a file',
  chooseMany: 'Choose files',
  drop: 'or drop or paste it here',
  dropNow: 'Drop to upload',
  pause: 'Pause',
  resume: 'Resume',
  cancel: 'Cancel',
  retry: 'Try again',
  remove: 'Remove from list',
  waiting: 'Waiting',
  paused: 'Paused',
  completed: 'Done',
  cancelled: 'Cancelled',
  uploads: 'Uploads',
  action: (action, name) => `${action}: ${name}`,
  bytes: (count) => {
    const unit = Math.min(UNITS.length - 1, count < 1000 ? 0 : Math.floor(Math.log10(count) / 3));
    return `${(count / 1000 ** unit).toFixed(unit === 0 || count >= 100 * 1000 ** unit ? 0 : 1)} ${UNITS[unit]}`;
  },
  remaining: (seconds) => {
    if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s left`;
    return seconds < 5400 ? `${Math.round(seconds / 60)} min left` : `${Math.round(seconds / 3600)} h left`;
  },
  error: ({ code, message }) =>
    code === 'network_error' ? 'There is no connection to the server. Try again when you are online.' : message,
  added: (count) => (count === 1 ? 'One file was added.' : `${count} files were added.`),
};
