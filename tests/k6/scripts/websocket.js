// WebSockets, by both modules, with tags of their own.
import { check } from 'k6';
import { WebSocket } from 'k6/websockets';
import ws from 'k6/ws';

export const options = { vus: 2, iterations: 4 };

export default function () {
  const url = `${__ENV.TARGET.replace('http', 'ws')}/ws`;
  const answer = ws.connect(url, { tags: { module: 'ws' } }, (socket) => {
    socket.on('open', () => {
      socket.send('one');
      socket.ping();
    });
    socket.on('message', (message) => {
      console.log(`ws got ${message}`);
      socket.close();
    });
  });
  check(answer, { 'switched protocols': (r) => r && r.status === 101 });

  const socket = new WebSocket(url, null, { tags: { module: 'websockets' } });
  let got = 0;
  socket.onopen = () => {
    socket.ping();
    socket.send('two');
    socket.send('three');
  };
  socket.onmessage = (event) => {
    console.info(`websockets got ${event.data}`);
    got += 1;
    if (got === 2) socket.close();
  };
  socket.onerror = (event) => console.error(`websockets failed: ${event.error}`);
}
