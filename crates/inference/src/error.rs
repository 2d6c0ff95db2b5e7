//! What can be wrong with a model, and with a request to it.

use mainstay_core::error::{Coded, ErrorCode};

use crate::tensor::{DType, Shape};

/// Why a model is refused. Every sentence says what to change.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Larger than [`crate::Limits::max_bytes`].
    #[error("the model has {bytes} bytes; at most {limit} are accepted")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Not a protobuf of the ONNX schema.
    #[error("this is not an ONNX model: the file is damaged, cut short or of another format")]
    Malformed(#[source] prost::DecodeError),
    /// A model without a graph.
    #[error("the model holds no graph; export it again")]
    NoGraph,
    /// A part of the format that is not evaluated here.
    #[error("the model uses {0}; export it without")]
    Feature(&'static str),
    /// More nodes than [`crate::Limits::max_nodes`].
    #[error("the graph has {nodes} nodes; at most {limit} are accepted")]
    TooManyNodes {
        /// How many it has.
        nodes: usize,
        /// The limit.
        limit: usize,
    },
    /// A domain without a declared version, or a newer one than is known here.
    #[error(
        "operator set `{domain}` version {version} is not known here (at most {newest}); \
         export with a lower target opset"
    )]
    Opset {
        /// The domain; `ai.onnx` is the default one.
        domain: String,
        /// The declared version, 0 if there is none.
        version: i64,
        /// The newest one known.
        newest: i64,
    },
    /// An operator that is not implemented.
    #[error(
        "operator `{domain}.{op}` (node `{node}`) is not supported by the native evaluator; it runs \
         scikit-learn's tree, linear, scaler, imputer and encoder pipelines: export the model without it"
    )]
    UnknownOperator {
        /// The domain; `ai.onnx` is the default one.
        domain: String,
        /// The operator.
        op: String,
        /// The node's name or number.
        node: String,
    },
    /// A stored tensor that cannot be read.
    #[error("tensor `{tensor}` cannot be used: {reason}")]
    Constant {
        /// Its name.
        tensor: String,
        /// What is wrong.
        reason: ConstantError,
    },
    /// A declared input or output that cannot be served.
    #[error("`{value}` cannot be part of the signature: {reason}")]
    Signature {
        /// The input or output.
        value: String,
        /// What is wrong with it.
        reason: SignatureError,
    },
    /// A node that is wired or parametrised wrongly.
    #[error("node `{node}` ({op}) is wrong: {reason}")]
    Node {
        /// The node's name or number.
        node: String,
        /// The operator.
        op: String,
        /// What is wrong with it.
        reason: NodeError,
    },
    /// The graph computed on one blank row, and failed.
    #[error("node `{node}` ({op}) does not fit the declared input shapes: {reason}")]
    Trial {
        /// The node's name or number.
        node: String,
        /// The operator.
        op: String,
        /// What went wrong.
        reason: KernelError,
    },
}

impl Coded for LoadError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            _ => ErrorCode::InvalidModel,
        }
    }
}

/// Why a stored tensor cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstantError {
    /// Its data lies in another file.
    #[error("its data lies outside the model file; save the model with the weights inside")]
    External,
    /// An element type that is not evaluated.
    #[error(
        "its element type (ONNX type {0}) is not supported; use float, double, int64, int32, bool or string"
    )]
    Type(i32),
    /// Negative, too many or too large dimensions.
    #[error("its dimensions are absurd")]
    Dimensions,
    /// Data and dimensions disagree.
    #[error("its data does not fill its dimensions")]
    Length,
    /// Text that is not UTF-8.
    #[error("its text is not UTF-8")]
    Text,
}

/// Why an input or output cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It has no name.
    #[error("it has no name")]
    Unnamed,
    /// It is declared twice.
    #[error("it is declared twice")]
    Duplicate,
    /// No tensor, or no shape.
    #[error("an input must be a tensor with a declared shape")]
    Shape,
    /// An element type that is not evaluated.
    #[error("element type {0} is not supported; use float, double, int64, int32, bool or string")]
    Type(i32),
    /// A fixed dimension that is no size.
    #[error("dimension {0} is absurd")]
    Dimension(i64),
    /// An output that nothing computes.
    #[error("nothing computes it")]
    Undefined,
    /// The model has none.
    #[error("the model declares no input or no output")]
    Missing,
}

/// What is wrong with a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// It reads a value that nothing computes before it: a name nobody defines, or a cycle.
    #[error("it reads `{0}`, which nothing defines, or which depends on the node itself")]
    Undefined(String),
    /// Two nodes define the same value.
    #[error("it defines `{0}` a second time")]
    Redefined(String),
    /// A subgraph, as in `If`, `Loop` and `Scan`.
    #[error("attribute `{0}` holds a subgraph; control flow is not supported")]
    Subgraph(String),
    /// An attribute given twice, or by reference to a function.
    #[error("attribute `{0}` is given twice or by reference")]
    AttributeForm(String),
    /// An attribute of another type than the operator's.
    #[error("attribute `{name}` must be of type {wanted}")]
    AttributeType {
        /// The attribute.
        name: String,
        /// Its type in the specification.
        wanted: &'static str,
    },
    /// A needed attribute is missing.
    #[error("attribute `{0}` is missing")]
    AttributeMissing(&'static str),
    /// An attribute has a value that makes no sense.
    #[error("attribute `{name}` {problem}")]
    AttributeValue {
        /// The attribute.
        name: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// A needed input is missing.
    #[error("input {0} is missing")]
    InputMissing(usize),
    /// More inputs or outputs than the operator has.
    #[error("it has more inputs or outputs than the operator")]
    Arity,
    /// An input of a type that the operator does not take here.
    #[error("input {input} is of type {dtype}, which is not supported for this operator")]
    InputType {
        /// Which one.
        input: usize,
        /// Its type.
        dtype: DType,
    },
    /// A stored tensor in an attribute cannot be read.
    #[error("attribute `{name}`: {reason}")]
    AttributeTensor {
        /// The attribute.
        name: &'static str,
        /// What is wrong.
        reason: ConstantError,
    },
    /// A tree ensemble whose nodes form no trees.
    #[error("tree {tree}: {problem}")]
    Tree {
        /// The tree's id.
        tree: i64,
        /// What is wrong.
        problem: &'static str,
    },
    /// A computation over constants failed.
    #[error("{0}")]
    Fold(KernelError),
}

/// Why a node could not compute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// Shapes that do not go together.
    #[error("{problem} (shape {shape})")]
    Shape {
        /// What was expected.
        problem: &'static str,
        /// What came.
        shape: Box<Shape>,
    },
    /// Shapes that cannot be broadcast against each other.
    #[error("shapes {} and {} do not go together", .0.0, .0.1)]
    Broadcast(Box<(Shape, Shape)>),
    /// A value that the operator cannot process.
    #[error("{0}")]
    Value(&'static str),
    /// Too many elements or too much work in one run.
    #[error("the computation is larger than the limit; send fewer rows at once")]
    Limit,
    /// An operand is not what was promised when the model was loaded: a fault of ours.
    #[error("an operand is not of the type that it was when the model was loaded")]
    Operand,
}

impl KernelError {
    pub(crate) fn shape(problem: &'static str, shape: Shape) -> Self {
        Self::Shape { problem, shape: Box::new(shape) }
    }

    pub(crate) fn broadcast(left: Shape, right: Shape) -> Self {
        Self::Broadcast(Box::new((left, right)))
    }
}

/// Why a request cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// A declared input is not in the request.
    #[error("input `{name}` is missing; the model needs: {needed}")]
    MissingInput {
        /// The input.
        name: String,
        /// All of them.
        needed: String,
    },
    /// An input that the model does not have.
    #[error("the model has no input `{name}`; it needs: {needed}")]
    UnknownInput {
        /// What was sent.
        name: String,
        /// What the model has.
        needed: String,
    },
    /// The same input twice.
    #[error("input `{name}` is given twice")]
    DuplicateInput {
        /// The input.
        name: String,
    },
    /// Another element type than declared.
    #[error("input `{name}` must be {wanted}, not {given}")]
    WrongType {
        /// The input.
        name: String,
        /// What the model declares.
        wanted: DType,
        /// What was sent.
        given: DType,
    },
    /// Another shape than declared.
    #[error("input `{name}` must have shape {wanted}, not {given} (-1 stands for any size)")]
    WrongShape {
        /// The input.
        name: String,
        /// What the model declares, -1 for any size.
        wanted: String,
        /// What was sent.
        given: Shape,
    },
    /// Inputs with different numbers of rows.
    #[error("input `{name}` has {given} rows where the other inputs have {rows}")]
    RowCount {
        /// The input.
        name: String,
        /// Rows of the first input.
        rows: usize,
        /// Rows of this one.
        given: usize,
    },
    /// No rows at all.
    #[error("input `{name}` is empty; send at least one row")]
    Empty {
        /// The input.
        name: String,
    },
    /// A node failed.
    #[error("node `{node}` ({op}): {reason}")]
    Node {
        /// The node's name or number.
        node: String,
        /// The operator.
        op: String,
        /// Why.
        reason: KernelError,
    },
}

impl Coded for RunError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Node { reason: KernelError::Limit, .. } => ErrorCode::TooLarge,
            Self::Node { reason: KernelError::Operand, .. } => ErrorCode::Internal,
            Self::Node { .. } => ErrorCode::InvalidData,
            _ => ErrorCode::SignatureMismatch,
        }
    }
}
