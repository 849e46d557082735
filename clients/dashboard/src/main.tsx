import { createRoot } from 'react-dom/client';
import { App } from './app.js';
import { dropLinkedToken, takeToken } from './session/token.js';
import './styles.css';

const { sessionStorage, location, history } = window;
const place = document.getElementById('root');
if (place)
  createRoot(place).render(
    <App
      takeToken={() => takeToken({ storage: sessionStorage, location, history })}
      dropLinkedToken={() => dropLinkedToken({ location, history })}
    />,
  );
