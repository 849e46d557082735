import type { FormEvent, ReactNode } from 'react';

/** Fields of a search, and its button. The search has the texts of the fields that are not empty, by name. */
export function FilterForm({
  onSearch,
  children,
}: {
  onSearch: (fields: Readonly<Record<string, string>>) => void;
  children: ReactNode;
}) {
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const given = [...new FormData(event.currentTarget)].flatMap(([name, value]) =>
      typeof value === 'string' && value.trim() !== '' ? [[name, value.trim()] as const] : [],
    );
    onSearch(Object.fromEntries(given));
  };
  return (
    <form className="filter" onSubmit={submit} aria-label="Filter">
      {children} <button type="submit">Search</button>
    </form>
  );
}
