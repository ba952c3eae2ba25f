import { isCarcosaError } from '@carcosa/kernel';

/**
 * One line for a start that failed for a cause that a person can mend; null for what only its stack explains.
 * @param address where we tried to listen
 */
export function explainFailure(error: unknown, address: { host: string; port: number }): string | null {
  if (isCarcosaError(error) && error.code !== 'internal_error') return oneLine(error.message);
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === 'listen' || syscall === 'bind' || syscall === 'getaddrinfo')
    return oneLine(listenProblem(code, address));
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return 'The disk of the data directory is full. Free some space, then start again.';
  return null;
}

function listenProblem(code: string | undefined, { host, port }: { host: string; port: number }): string {
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} on ${host} is taken by another program. Stop it, or set PORT to another one (0 takes any free port).`;
    case 'EACCES':
      return `Port ${port} needs rights that this user has not. Set PORT to 1024 or above.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${host} is not an address of this machine. Set HOST to one that is, such as 127.0.0.1 or 0.0.0.0.`;
    default:
      return `Cannot listen on ${host}:${port} (${code}). Set HOST and PORT to an address that is free.`;
  }
}

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, ' ');
