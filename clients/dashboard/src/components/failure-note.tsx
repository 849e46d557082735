/** Says what went wrong; nothing while nothing did. */
export function FailureNote({ failures }: { failures: readonly (string | null)[] }) {
  const shown = [...new Set(failures.filter((failure) => failure !== null))];
  if (shown.length === 0) return null;
  return (
    <ul className="failures" role="alert">
      {shown.map((failure) => (
        <li key={failure}>{failure}</li>
      ))}
    </ul>
  );
}
