//! The stack machine that a pickle is a program for.
//!
//! Each opcode costs time and memory in proportion to its bytes, or pays for its copies from the
//! budget. A nested value is a node that refers to other nodes, so nothing here recurses.

mod leaf;
mod opcode;

use std::collections::HashMap;

use crate::bounds::Budget;
use crate::class::{self, Class};
use crate::error::{Error, Result};
use crate::input::Input;
use crate::nodes::{Id, Node, Nodes};

const NEWEST_PROTOCOL: u8 = 5;

/// Runs exactly one pickle. Returns its nodes, and the node of its value.
pub(crate) fn run<'a>(pickle: &'a [u8], budget: &mut Budget) -> Result<(Nodes<'a>, Id)> {
    let mut machine = Machine {
        input: Input::new(pickle),
        nodes: Nodes::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        budget,
    };
    loop {
        let position = pickle.len() - machine.input.left();
        if let Some(root) = machine.step().map_err(|error| error.at(position))? {
            return match machine.input.left() {
                0 => Ok((machine.nodes, root)),
                _ => Err("bytes follow the pickle".into()),
            };
        }
    }
}

struct Machine<'a, 'b> {
    input: Input<'a>,
    nodes: Nodes<'a>,
    stack: Vec<Id>,
    /// The stack's height at each mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    budget: &'b mut Budget,
}

impl<'a> Machine<'a, '_> {
    /// Runs one opcode. Returns the pickle's value at its end.
    fn step(&mut self) -> Result<Option<Id>> {
        let opcode = self.input.byte()?;
        if let Some(node) = leaf::read(opcode, &mut self.input)? {
            self.push(node);
            return Ok(None);
        }
        match opcode {
            opcode::STOP => return self.pop().map(Some),
            opcode::PROTO => self.protocol()?,
            opcode::FRAME => self.frame()?,
            opcode::MARK => self.marks.push(self.stack.len()),
            opcode::POP if self.stack.len() > self.floor() => drop(self.pop()?),
            opcode::POP | opcode::POP_MARK => drop(self.pop_to_mark()?),
            opcode::DUP => self.stack.push(self.top()?),
            opcode::PUT | opcode::BINPUT | opcode::LONG_BINPUT | opcode::MEMOIZE => {
                let number = self.memo_number(opcode)?;
                self.memo.insert(number, self.top()?);
            }
            opcode::GET | opcode::BINGET | opcode::LONG_BINGET => {
                let number = self.memo_number(opcode)?;
                let id = self.memo.get(&number).ok_or("a reference to nothing")?;
                self.stack.push(*id);
            }
            _ => self.container(opcode)?,
        }
        Ok(None)
    }

    /// Makes or fills a container.
    fn container(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            opcode::TUPLE => self.collect(Node::Tuple)?,
            opcode::TUPLE1 => self.tuple(1)?,
            opcode::TUPLE2 => self.tuple(2)?,
            opcode::TUPLE3 => self.tuple(3)?,
            opcode::LIST => self.collect(Node::List)?,
            opcode::FROZENSET => self.collect(Node::Set)?,
            opcode::DICT => {
                let entries = self.pop_to_mark()?;
                self.push(Node::Dict(Vec::new()));
                self.fill(opcode::SETITEMS, entries)?;
            }
            opcode::APPEND => {
                let item = self.pop()?;
                self.fill(opcode::APPENDS, vec![item])?;
            }
            opcode::SETITEM => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.fill(opcode::SETITEMS, vec![key, value])?;
            }
            opcode::APPENDS | opcode::SETITEMS | opcode::ADDITEMS => {
                let items = self.pop_to_mark()?;
                self.fill(opcode, items)?;
            }
            opcode::STACK_GLOBAL => self.stack_global()?,
            opcode::REDUCE => self.reduce()?,
            _ => return Err(self.refuse(opcode)),
        }
        Ok(())
    }

    fn protocol(&mut self) -> Result<()> {
        match self.input.byte()? {
            0..=NEWEST_PROTOCOL => Ok(()),
            other => Err(format!("protocol {other} is not known").into()),
        }
    }

    /// A frame says how much to read at once; here all bytes are already read.
    fn frame(&mut self) -> Result<()> {
        let length = usize::try_from(self.input.number(8)?);
        let whole = length.is_ok_and(|length| length <= self.input.left());
        if whole { Ok(()) } else { Err("a frame is longer than the pickle".into()) }
    }

    fn push(&mut self, node: Node<'a>) {
        let id = self.nodes.push(node);
        self.stack.push(id);
    }

    /// The stack's height at the last mark; no value below may be taken.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id> {
        let above = self.stack.get(self.floor()..).unwrap_or_default();
        above.last().copied().ok_or_else(|| "an opcode lacks its argument".into())
    }

    fn pop(&mut self) -> Result<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or("an opcode lacks its mark")?;
        // Nothing below a mark is ever taken, so the stack is at least as high.
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn memo_number(&mut self, opcode: u8) -> Result<u32> {
        match opcode {
            opcode::BINPUT | opcode::BINGET => self.input.byte().map(u32::from),
            opcode::LONG_BINPUT | opcode::LONG_BINGET => self.input.array().map(u32::from_le_bytes),
            opcode::MEMOIZE => {
                u32::try_from(self.memo.len()).map_err(|_| "too many references".into())
            }
            _ => self.input.word()?.parse().map_err(|_| "a reference is malformed".into()),
        }
    }

    fn collect(&mut self, container: impl FnOnce(Vec<Id>) -> Node<'a>) -> Result<()> {
        let items = self.pop_to_mark()?;
        self.push(container(items));
        Ok(())
    }

    fn tuple(&mut self, length: usize) -> Result<()> {
        let start = self.stack.len().checked_sub(length).filter(|start| *start >= self.floor());
        let start = start.ok_or("an opcode lacks its argument")?;
        let items = self.stack.split_off(start);
        self.push(Node::Tuple(items));
        Ok(())
    }

    /// Adds to the container on top of the stack.
    fn fill(&mut self, opcode: u8, items: Vec<Id>) -> Result<()> {
        let top = self.top()?;
        match (opcode, &mut self.nodes[top]) {
            (opcode::SETITEMS, Node::Dict(_)) if !items.len().is_multiple_of(2) => {
                Err("a key has no value".into())
            }
            (opcode::SETITEMS, Node::Dict(held))
            | (opcode::APPENDS, Node::List(held))
            | (opcode::ADDITEMS, Node::Set(held)) => {
                held.extend(items);
                Ok(())
            }
            _ => Err("something is added to what is no container of its kind".into()),
        }
    }

    fn stack_global(&mut self) -> Result<()> {
        let (name, module) = (self.pop()?, self.pop()?);
        let (Node::Text(module), Node::Text(name)) = (&self.nodes[module], &self.nodes[name])
        else {
            return Err("the name of a class is no text".into());
        };
        let class = Class::find(module, name)?;
        self.push(Node::Class(class));
        Ok(())
    }

    fn reduce(&mut self) -> Result<()> {
        let (arguments, class) = (self.pop()?, self.pop()?);
        let (Node::Class(class), Node::Tuple(arguments)) =
            (&self.nodes[class], &self.nodes[arguments])
        else {
            return Err("something is called that is no class".into());
        };
        let made = class.make(arguments, &self.nodes, self.budget)?;
        self.push(made);
        Ok(())
    }

    /// Why an opcode is not data.
    fn refuse(&mut self, opcode: u8) -> Error {
        let what = match opcode {
            opcode::INST => {
                let names = (self.input.word(), self.input.word());
                let (Ok(module), Ok(name)) = names else { return names_are_malformed() };
                return class::unknown(module, name);
            }
            opcode::OBJ | opcode::NEWOBJ | opcode::NEWOBJ_EX | opcode::BUILD => {
                "an object is built, which is not data"
            }
            opcode::EXT1 | opcode::EXT2 | opcode::EXT4 => {
                "a class is named by a number of `copyreg`, which is not data"
            }
            opcode::PERSID | opcode::BINPERSID => {
                "a persistent id is not data: what it names is kept elsewhere"
            }
            opcode::NEXT_BUFFER | opcode::READONLY_BUFFER => {
                "a buffer outside of the pickle is not there"
            }
            _ => "a byte is no opcode",
        };
        what.into()
    }
}

fn names_are_malformed() -> Error {
    "the name of a class is malformed".into()
}
