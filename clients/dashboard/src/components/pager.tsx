/** Cursors that led to the page of a list that is shown; none for the first page. */
export type Cursors = readonly string[];

interface PageInfo {
  readonly hasNextPage: boolean;
  readonly endCursor: string | null;
}

/** Buttons that go through the pages of a list, the newest first. */
export function Pager({
  cursors,
  pageInfo,
  onGo,
}: {
  cursors: Cursors;
  /** Undefined until the page is known. */
  pageInfo: PageInfo | undefined;
  onGo: (cursors: Cursors) => void;
}) {
  const next = pageInfo?.hasNextPage === true ? pageInfo.endCursor : null;
  return (
    <p>
      <button type="button" disabled={cursors.length === 0} onClick={() => onGo(cursors.slice(0, -1))}>
        Newer
      </button>{' '}
      <button
        type="button"
        disabled={next === null}
        onClick={() => next !== null && onGo([...cursors, next])}
      >
        Older
      </button>
    </p>
  );
}
