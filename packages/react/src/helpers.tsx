import {
  createRouteClient,
  type RouteClient,
  type RouteClientOptions,
  type RouteConfig,
  type RoutedFile,
  type RouteInput,
  type RouterTypes,
  type RouteServerData,
  type UploadTask,
} from '@carcosa/sdk';
import { useCallback, useEffect, useState } from 'react';
import { UploadButton as PlainButton, type UploadButtonProps } from './upload-button.tsx';
import { UploadDropzone as PlainDropzone, type UploadDropzoneProps } from './upload-dropzone.tsx';
import type { UploadPartProps } from './upload-props.ts';
import { type UseUploads, type UseUploadsOptions, useUploads as usePlainUploads } from './use-uploads.ts';

type Slug<Router> = keyof Router & string;
type Stored<Router extends RouterTypes, Name extends Slug<Router>> = RoutedFile<RouteServerData<Router, Name>>;

/** Names the route, and gives what it takes beside the files, if it takes anything. */
type RouteProps<Router extends RouterTypes, Name extends Slug<Router>> = {
  route: Name;
} & (undefined extends RouteInput<Router, Name>
  ? { input?: RouteInput<Router, Name> }
  : { input: RouteInput<Router, Name> });

type PartProps<Router extends RouterTypes, Name extends Slug<Router>, Part> = RouteProps<Router, Name> &
  Omit<Part, 'begin' | 'options'>;

/** The parts and hooks, typed by the router of your backend. */
export interface ReactHelpers<Router extends RouterTypes> {
  UploadButton<Name extends Slug<Router>>(
    props: PartProps<Router, Name, UploadButtonProps<Stored<Router, Name>>>,
  ): React.ReactNode;
  UploadDropzone<Name extends Slug<Router>>(
    props: PartProps<Router, Name, UploadDropzoneProps<Stored<Router, Name>>>,
  ): React.ReactNode;
  /** A list of uploads through a route. */
  useUploads<Name extends Slug<Router>>(
    options: RouteProps<Router, Name> & Omit<UseUploadsOptions<Stored<Router, Name>>, 'begin'>,
  ): UseUploads<Stored<Router, Name>>;
  /** Without React: `uploadFiles('avatar', files, { input })`. */
  uploadFiles: RouteClient<Router>['upload'];
}

/** `generateReactHelpers<typeof router>({ url: '/api/upload' })`, once for the app. */
export function generateReactHelpers<Router extends RouterTypes>(options: RouteClientOptions): ReactHelpers<Router> {
  const client = createRouteClient<Router>(options);

  function useBegin<Name extends Slug<Router>>({ route, input }: { route: Name; input?: unknown }) {
    // Inputs are written in place, as new objects each time: their text says whether they are others.
    const text = JSON.stringify(input);
    // biome-ignore lint/correctness/useExhaustiveDependencies: see above
    return useCallback(
      (files: File[]) => client.upload(route, files, { input: input as RouteInput<Router, Name> }),
      [route, text],
    );
  }

  function usePart<Name extends Slug<Router>, Part extends UploadPartProps<Stored<Router, Name>>>(
    props: PartProps<Router, Name, Part>,
  ) {
    const { route, input, ...rest } = props;
    const begin = useBegin<Name>({ route, input }) as (files: File[]) => UploadTask<Stored<Router, Name>>[];
    const taken = useTaken(client as RouteClient, route);
    return { ...taken, ...rest, begin };
  }

  return {
    UploadButton: (props) => <PlainButton {...(usePart(props) as unknown as UploadButtonProps)} />,
    UploadDropzone: (props) => <PlainDropzone {...(usePart(props) as unknown as UploadDropzoneProps)} />,
    useUploads: (props) => {
      const { route, input, ...rest } = props;
      return usePlainUploads({ ...rest, begin: useBegin({ route, input }) });
    },
    uploadFiles: client.upload,
  };
}

/** What the chooser offers, as the route says. */
function useTaken(client: RouteClient, route: string): { accept?: string; multiple?: boolean } {
  const [taken, setTaken] = useState({});
  useEffect(() => {
    let isWanted = true;
    void client.config(route).then((config) => isWanted && config && setTaken(takenOf(config)));
    return () => {
      isWanted = false;
    };
  }, [client, route]);
  return taken;
}

const FAMILIES = ['image', 'video', 'audio', 'text'];

function takenOf(config: RouteConfig): { accept?: string; multiple: boolean } {
  const names = Object.keys(config);
  const accept = names.map((name) =>
    FAMILIES.includes(name) ? `${name}/*` : name === 'pdf' ? 'application/pdf' : name,
  );
  const multiple = Object.values(config).some(({ maxFileCount }) => maxFileCount !== undefined && maxFileCount > 1);
  return names.includes('blob') ? { multiple } : { accept: accept.join(','), multiple };
}
