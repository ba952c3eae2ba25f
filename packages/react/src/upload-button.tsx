import type { File as StoredFile } from '@carcosa/sdk';
import type { ReactNode } from 'react';
import { Chooser } from './chooser.tsx';
import { Progress, Status } from './progress.tsx';
import { useLabels } from './provider.tsx';
import { classes, type UploadPartProps, usePartUploads } from './upload-props.ts';

export interface UploadButtonProps<Result = StoredFile> extends UploadPartProps<Result> {
  children?: ReactNode;
}

/** A button that uploads what is chosen, and shows how far it is. `data-state` is that of its list. */
export function UploadButton<Result = StoredFile>(props: UploadButtonProps<Result>) {
  const { accept, multiple = false, folders = false, disabled = false, className, children } = props;
  const labels = useLabels(props.labels);
  const uploads = usePartUploads(props);
  const isBusy = uploads.state === 'uploading';
  const failed = uploads.uploads.find(({ task }) => task.state === 'failed')?.task.error;
  return (
    <span className={classes('carcosa-button', className)} data-state={uploads.state}>
      <Chooser {...{ labels, accept, multiple, folders }} disabled={disabled || isBusy} onFiles={uploads.add}>
        {isBusy ? `${Math.round(uploads.fraction * 100)} %` : children}
      </Chooser>
      {isBusy && <Progress fraction={uploads.fraction} label={labels.uploads} />}
      {failed && !isBusy && (
        <span className="carcosa-error" role="alert">
          {labels.error(failed)}
        </span>
      )}
      <Status uploads={uploads} labels={labels} />
    </span>
  );
}
