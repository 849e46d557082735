import { type FormEvent, useState } from 'react';
import { keepToken } from './token.js';

/** Asks for a token. */
export function TokenForm({ reason, onToken }: { reason: string | null; onToken: (token: string) => void }) {
  const [text, setText] = useState('');
  const [isWrong, setIsWrong] = useState(false);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const token = keepToken(text, window.sessionStorage);
    setIsWrong(token === null);
    if (token !== null) onToken(token);
  };
  return (
    <form className="card token-form" onSubmit={submit}>
      <h1>Rhizome</h1>
      {reason !== null && <p role="alert">{reason}</p>}
      <label htmlFor="token">
        Paste a token. The playground prints one; it stays in this tab and is never part of an address.
      </label>
      <textarea
        id="token"
        rows={4}
        value={text}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setText(event.target.value)}
      />
      {isWrong && <p role="alert">That is no token.</p>}
      <button type="submit">Look</button>
    </form>
  );
}
