import { useCallback, useMemo, useState } from 'react';
import { useClient } from 'urql';
import { failureOfQuery } from '../api/api.js';
import { Table } from '../components/table.js';
import { OutputAddressesDocument } from '../operations.generated.js';
import { foldersOf, type OutputFolder, type StoredOutput, sizeText } from './output-folders.js';
import { FilePreview } from './preview.js';
import { ReadProblem } from './read-problem.js';
import { signed } from './stored-file.js';
import { visibleText } from '../components/visible-text.js';

/** Actions on each file of a list. */
interface FileActions {
  readonly onDownload: (output: StoredOutput) => void;
  readonly onPreview: (output: StoredOutput) => void;
}

/** Stored outputs of a job, or those that a failed attempt kept; nothing if there are none. */
export function Outputs({
  jobId,
  attempt = null,
  outputs,
}: {
  jobId: string;
  /** Number of the failed attempt; null for the outputs of the job. */
  attempt?: number | null;
  outputs: readonly StoredOutput[];
}) {
  const addresses = useAddresses(jobId, attempt);
  const [chosen, setChosen] = useState<StoredOutput | null>(null);
  const [failed, setFailed] = useState<{ readonly error: unknown; readonly name: string } | null>(null);
  const root = useMemo(() => foldersOf(outputs), [outputs]);
  const chosenName = chosen?.name;
  const addressOf = useCallback(() => addresses(chosenName ?? ''), [addresses, chosenName]);
  if (outputs.length === 0) return null;
  const title = attempt === null ? 'Outputs' : `Files kept of attempt ${attempt}`;
  const onDownload = ({ name }: StoredOutput): void => {
    setFailed(null);
    signed(() => addresses(name)).then(
      ({ href }) => download(href, name),
      (error: unknown) => setFailed({ name, error }),
    );
  };
  return (
    <section>
      <h2>{title}</h2>
      <p className="muted">
        {outputs.length === 1 ? '1 file' : `${outputs.length} files`}, {sizeText(root.sizeBytes)}. A preview
        shows the first 256 KiB of a text, and images of at most 20 MiB.
      </p>
      <Folder folder={root} label={title} actions={{ onDownload, onPreview: setChosen }} />
      {failed && <ReadProblem {...{ jobId, attempt }} {...failed} />}
      {chosen && (
        <FilePreview
          key={chosen.name}
          place={{ jobId, attempt }}
          output={chosen}
          addressOf={addressOf}
          onClose={() => setChosen(null)}
        />
      )}
    </section>
  );
}

/** Asks core for a new address of one output. @throws Error if core does not answer */
function useAddresses(id: string, attempt: number | null): (name: string) => Promise<string | null> {
  const client = useClient();
  return useCallback(
    async (name) => {
      const { data, error } = await client
        .query(OutputAddressesDocument, { id, attempt }, { requestPolicy: 'network-only' })
        .toPromise();
      if (error) throw new Error(failureOfQuery(error).message);
      return data?.job?.outputFiles.find((file) => file.name === name)?.url ?? null;
    },
    [client, id, attempt],
  );
}

/** Lets the browser download an address; in a tab of its own, as storages may answer with an error page. */
function download(address: string, name: string): void {
  const link = document.createElement('a');
  link.href = address;
  link.download = name.slice(name.lastIndexOf('/') + 1);
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
  link.click();
}

function Folder({ folder, label, actions }: { folder: OutputFolder; label: string; actions: FileActions }) {
  return (
    <>
      {folder.files.length > 0 && (
        <Table label={label} columns={['Name', 'Size', 'SHA-256', '']}>
          {folder.files.map((output) => (
            <FileRow key={output.name} output={output} actions={actions} />
          ))}
        </Table>
      )}
      {folder.folders.map((inner) => (
        <ClosedFolder key={inner.path} folder={inner} actions={actions} />
      ))}
    </>
  );
}

/** A folder whose files are rendered when it is opened. */
function ClosedFolder({ folder, actions }: { folder: OutputFolder; actions: FileActions }) {
  const [isOpen, setOpen] = useState(false);
  const path = visibleText(folder.path);
  return (
    <details className="folder" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>
        {path}/{' '}
        <span className="muted">
          {folder.count === 1 ? '1 file' : `${folder.count} files`}, {sizeText(folder.sizeBytes)}
        </span>
      </summary>
      {isOpen && <Folder folder={folder} label={`Files in ${path}`} actions={actions} />}
    </details>
  );
}

function FileRow({ output, actions }: { output: StoredOutput; actions: FileActions }) {
  const { name, sizeBytes, sha256 } = output;
  const shown = visibleText(name.slice(name.lastIndexOf('/') + 1));
  return (
    <tr>
      <td>{shown}</td>
      <td className="number">{sizeText(sizeBytes)}</td>
      <td>
        <code title={sha256}>{sha256.slice(0, 16)}…</code>
      </td>
      <td>
        <button onClick={() => actions.onPreview(output)} aria-label={`Preview ${shown}`}>
          Preview
        </button>{' '}
        <button onClick={() => actions.onDownload(output)} aria-label={`Download ${shown}`}>
          Download
        </button>
      </td>
    </tr>
  );
}
