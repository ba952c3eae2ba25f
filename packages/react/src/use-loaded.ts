import { type CarcosaError, isCarcosaError } from '@carcosa/sdk';
import { useCallback, useEffect, useState } from 'react';

export interface Loaded<Data> {
  readonly data: Data | undefined;
  readonly error: CarcosaError | undefined;
  readonly isLoading: boolean;
  /** Asks again; what there is stays until the answer comes. */
  refresh(): void;
}

/** What a call gives, asked anew whenever `load` is another function: wrap it in `useCallback`. */
export function useLoaded<Data>(load: () => Promise<Data>): Loaded<Data> {
  const [state, setState] = useState<Omit<Loaded<Data>, 'refresh'>>({
    data: undefined,
    error: undefined,
    isLoading: true,
  });
  const [turn, setTurn] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a turn is what asks again
  useEffect(() => {
    let isWanted = true;
    setState((before) => ({ ...before, isLoading: true }));
    load().then(
      (data) => isWanted && setState({ data, error: undefined, isLoading: false }),
      (error) =>
        isWanted && setState({ data: undefined, error: isCarcosaError(error) ? error : undefined, isLoading: false }),
    );
    return () => {
      isWanted = false;
    };
  }, [load, turn]);
  const refresh = useCallback(() => setTurn((before) => before + 1), []);
  return { ...state, refresh };
}
