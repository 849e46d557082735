import { useEffect, useState } from 'react';
import { loadPreview, type Preview, type Shown } from './load-preview.js';
import { Markdown } from './markdown.js';
import { type StoredOutput, sizeText } from './output-folders.js';
import { type FailedRead, ReadProblem } from './read-problem.js';
import type { AddressSource } from './stored-file.js';
import { visibleText } from '../components/visible-text.js';

/** Panel with the content of a stored file. */
export function FilePreview({
  place,
  output,
  addressOf,
  onClose,
}: {
  place: Pick<FailedRead, 'attempt' | 'jobId'>;
  output: StoredOutput;
  addressOf: AddressSource;
  onClose: () => void;
}) {
  const [preview, setPreview] = useState<Preview | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    const controller = new AbortController();
    setPreview(null);
    setError(null);
    const { signal } = controller;
    loadPreview(output, { addressOf, signal }).then(
      (loaded) => {
        if (!signal.aborted) setPreview(loaded);
      },
      (failure: unknown) => {
        if (!signal.aborted) setError(failure);
      },
    );
    return () => controller.abort();
  }, [output, addressOf]);
  const name = visibleText(output.name);
  return (
    <section className="preview card" aria-label={`Preview of ${name}`}>
      <h3>
        {name} <button onClick={onClose}>Close</button>
      </h3>
      <p className="muted">
        {sizeText(output.sizeBytes)}, SHA-256 <code>{output.sha256}</code>
      </p>
      {error !== null && <ReadProblem {...place} name={output.name} error={error} />}
      {error === null && preview === null && <p className="muted">reading…</p>}
      {preview && <Content shown={preview.shown} name={name} />}
      {preview && preview.shown.as !== 'NOTHING' && <p className="muted">{extentOf(preview)}</p>}
    </section>
  );
}

function extentOf({ isWhole, isVerified }: Preview): string {
  if (!isWhole) return 'These are the first 256 KiB; the SHA-256 was not compared.';
  return isVerified
    ? 'This is the whole file; its SHA-256 is as recorded.'
    : 'This is the whole file; the browser cannot compute its SHA-256 on a page without TLS.';
}

function Content({ shown, name }: { shown: Shown; name: string }) {
  const [isBroken, setBroken] = useState(false);
  switch (shown.as) {
    case 'NOTHING':
      return <p>{shown.reason}</p>;
    case 'MARKDOWN':
      return <Markdown tree={shown.tree} />;
    case 'TEXT':
      return <Text text={shown.text} isJson={shown.isJson} />;
    case 'IMAGE':
      return isBroken ? (
        <p>The browser cannot decode the image.</p>
      ) : (
        <img src={shown.address} alt={name} onError={() => setBroken(true)} />
      );
  }
}

/** Lines of JSON that are shown at first. */
const mostLines = 200;

function Text({ text, isJson }: { text: string; isJson: boolean }) {
  const [isOpen, setOpen] = useState(false);
  const lines = isJson && !isOpen ? text.split('\n') : [];
  const isCut = lines.length > mostLines;
  return (
    <>
      <pre className="log" role="region" aria-label="Content" tabIndex={0}>
        {isCut ? lines.slice(0, mostLines).join('\n') : text}
      </pre>
      {isCut && <button onClick={() => setOpen(true)}>Show all {lines.length} lines</button>}
    </>
  );
}
