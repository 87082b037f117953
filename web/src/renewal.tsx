// The session has ended while somebody was at work: the page stays as it is behind this, and goes on when they are back.
import { useEffect, useRef } from "react";
import { presentPerson } from "./credentials";
import { type Entered, SignInForm } from "./sign_in";

interface Props {
  name: string | undefined;
  enter: (entered: Entered) => void;
  leave: () => void;
}

export function Renewal({ name, enter, leave }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
    dialog.current?.querySelector<HTMLInputElement>("input[type=password]")?.focus();
  }, []);
  const entering = useRef(enter);
  entering.current = enter;
  useEffect(() => {
    // Who signed in elsewhere did so in another tab: its cookie is this one's too.
    const look = () => void presentPerson().then((person) => person !== null && person.name === name && entering.current(person));
    window.addEventListener("focus", look);
    return () => window.removeEventListener("focus", look);
  }, [name]);
  return (
    <dialog ref={dialog} className="sign-in card" aria-label="Sign in again" onCancel={(event) => event.preventDefault()} onClose={() => dialog.current?.showModal()}>
      <SignInForm heading="Sign in again" hint="The session has ended. What is on the page is still there." name={name} enter={enter} />
      <p className="other"><button type="button" className="link" onClick={leave}>Leave this page</button></p>
    </dialog>
  );
}
