import type { Carcosa } from '@carcosa/sdk';
import { createContext, type ReactNode, useContext, useMemo } from 'react';
import { ENGLISH, type Labels } from './labels.ts';

interface Surroundings {
  readonly client: Carcosa | undefined;
  readonly labels: Labels;
}

const Context = createContext<Surroundings>({ client: undefined, labels: ENGLISH });

export interface CarcosaProviderProps {
  /** For parts that speak to Carcosa themselves; those that go through a file router need none. */
  client?: Carcosa;
  /** Instead of English. */
  labels?: Partial<Labels>;
  children?: ReactNode;
}

/** Tells the parts below which client to use and which words. */
export function CarcosaProvider({ client, labels, children }: CarcosaProviderProps) {
  const outer = useContext(Context);
  const value = useMemo(
    () => ({ client: client ?? outer.client, labels: labels ? { ...outer.labels, ...labels } : outer.labels }),
    [client, labels, outer],
  );
  return <Context value={value}>{children}</Context>;
}

/** @throws where no provider has a client */
export function useCarcosa(): Carcosa {
  const { client } = useContext(Context);
  if (!client) throw new Error('Wrap this in <CarcosaProvider client={createCarcosa({ … })}>.');
  return client;
}

export const useMaybeCarcosa = (): Carcosa | undefined => useContext(Context).client;

export function useLabels(own?: Partial<Labels>): Labels {
  const { labels } = useContext(Context);
  return own ? { ...labels, ...own } : labels;
}
