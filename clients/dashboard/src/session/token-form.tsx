import { type FormEvent, useState } from 'react';
import { Title } from '../components/title.js';
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
      <Title>Sign in</Title>
      {reason !== null && <p role="alert">{reason}</p>}
      <label htmlFor="token">
        Paste a token. The playground prints one; it stays in this tab and is never part of an address.
      </label>
      <textarea
        id="token"
        rows={4}
        autoFocus
        value={text}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setText(event.target.value)}
      />
      {isWrong && <p role="alert">That is no token.</p>}
      <button type="submit" className="main">
        Look
      </button>
    </form>
  );
}
