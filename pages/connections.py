import streamlit as st

st.header("connections")
