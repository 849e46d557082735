/** Says what went wrong; nothing while nothing did. */
export function FailureNote({ failures }: { failures: readonly (string | null)[] }) {
  const told = [...new Set(failures.filter((failure) => failure !== null))];
  if (told.length === 0) return null;
  return (
    <ul className="failures" role="alert">
      {told.map((failure) => (
        <li key={failure}>{failure}</li>
      ))}
    </ul>
  );
}
